# Training on AWS Glue, beside or instead of the trainer's CronJob. Off until `glue_enabled`: the wheel that the job
# installs is built by hand (README.md), and a plan must not depend on it.

locals {
  glue_files = var.glue_enabled ? {
    "train.py"                        = var.glue_script_path
    (basename(var.glue_wheel_path))   = var.glue_wheel_path
    (basename(var.glue_requirements)) = var.glue_requirements
  } : {}

  # Glue installs what this lists, with pip: the wheel, and each module in the version that the lock has.
  glue_pins = var.glue_enabled && fileexists(var.glue_requirements) ? [
    for line in split("\n", file(var.glue_requirements)) : trimspace(line) if trimspace(line) != "" && !startswith(trimspace(line), "#")
  ] : []

  glue_files_found = { for name, path in local.glue_files : name => path if fileexists(path) }
  glue_url         = "s3://${var.bucket_name}/glue"
}

resource "aws_s3_object" "glue" {
  for_each = local.glue_files_found

  bucket      = aws_s3_bucket.data.id
  key         = "glue/${each.key}"
  source      = each.value
  source_hash = filemd5(each.value)

  depends_on = [aws_s3_bucket_server_side_encryption_configuration.data, aws_s3_bucket_versioning.data]
}

resource "aws_glue_job" "training" {
  count = var.glue_enabled ? 1 : 0

  name                    = var.glue_job_name
  description             = "Fits, evaluates and publishes a release"
  role_arn                = aws_iam_role.glue[0].arn
  glue_version            = "5.1"
  worker_type             = var.glue_worker_type
  execution_class         = "STANDARD"
  number_of_workers       = var.glue_workers
  timeout                 = var.glue_timeout_minutes
  max_retries             = 0
  job_run_queuing_enabled = false

  command {
    name            = "glueetl"
    python_version  = "3"
    script_location = "${local.glue_url}/train.py"
  }

  execution_property {
    max_concurrent_runs = 1
  }

  default_arguments = merge(
    {
      "--additional-python-modules" = join(",", concat(["${local.glue_url}/${basename(var.glue_wheel_path)}"], local.glue_pins))
      "--custom-logGroup-prefix"    = local.glue_log_prefix
      "--enable-metrics"            = "true"
      "--interval"                  = var.glue_interval
      "--promote"                   = "true"
      "--region"                    = var.region
      "--store"                     = "s3://${var.bucket_name}"
    },
    var.glue_arguments,
  )

  lifecycle {
    precondition {
      condition     = length(local.glue_files_found) == length(local.glue_files)
      error_message = "glue_enabled, but not there: ${join(", ", [for name, path in local.glue_files : path if !contains(keys(local.glue_files_found), name)])}. Run `make glue` in the root, and see glue_script_path, glue_wheel_path, glue_requirements."
    }
  }

  depends_on = [aws_s3_object.glue, aws_iam_role_policy.glue_store, aws_iam_role_policy.glue_logs, aws_cloudwatch_log_group.glue]
}

resource "aws_glue_trigger" "training" {
  count = var.glue_enabled && var.glue_schedule != "" ? 1 : 0

  name              = "${var.glue_job_name}-schedule"
  type              = "SCHEDULED"
  schedule          = var.glue_schedule
  start_on_creation = true

  actions {
    job_name = aws_glue_job.training[0].name
  }
}

resource "aws_iam_role" "glue" {
  count = var.glue_enabled ? 1 : 0

  name        = var.glue_role_name
  description = "The Glue job ${var.glue_job_name}"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "glue.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "glue_store" {
  count = var.glue_enabled ? 1 : 0

  name   = "store"
  role   = aws_iam_role.glue[0].id
  policy = local.access_policies[var.glue_role_name]
}

resource "aws_iam_role_policy" "glue_logs" {
  count = var.glue_enabled ? 1 : 0

  name = "logs-and-metrics"
  role = aws_iam_role.glue[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "WriteLogs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = [for name in local.glue_log_groups : "${local.logs_arn}:${name}:*"]
      },
      {
        # CloudWatch knows no resource for this action, only the name space.
        Sid       = "WriteMetrics"
        Effect    = "Allow"
        Action    = ["cloudwatch:PutMetricData"]
        Resource  = "*"
        Condition = { StringEquals = { "cloudwatch:namespace" = "Glue" } }
      },
    ]
  })
}
