# Log groups are made here, before what writes into them makes its own without an end and without a key.

locals {
  eks_log_group   = "/aws/eks/${var.cluster_name}/cluster"
  flow_log_group  = "/aws/vpc/${var.name}/rejected"
  glue_log_prefix = "/aws-glue/jobs/${var.glue_job_name}"
  glue_log_groups = [for kind in ["error", "output"] : "${local.glue_log_prefix}/${kind}"]
  log_group_names = concat([local.eks_log_group, local.flow_log_group], local.glue_log_groups)
}

resource "aws_cloudwatch_log_group" "eks" {
  #checkov:skip=CKV_AWS_338:log_retention_days says how long, and a year of logs is paid for
  name              = local.eks_log_group
  retention_in_days = var.log_retention_days
  kms_key_id        = aws_kms_key.platform.arn
}

resource "aws_cloudwatch_log_group" "flow" {
  #checkov:skip=CKV_AWS_338:log_retention_days says how long, and a year of logs is paid for
  count = var.flow_logs_enabled ? 1 : 0

  name              = local.flow_log_group
  retention_in_days = var.log_retention_days
  kms_key_id        = aws_kms_key.platform.arn
}

resource "aws_cloudwatch_log_group" "glue" {
  #checkov:skip=CKV_AWS_338:log_retention_days says how long, and a year of logs is paid for
  for_each = toset(var.glue_enabled ? local.glue_log_groups : [])

  name              = each.key
  retention_in_days = var.log_retention_days
  kms_key_id        = aws_kms_key.platform.arn
}

resource "aws_iam_role" "flow_logs" {
  count = var.flow_logs_enabled ? 1 : 0

  name        = "${var.name}-flow-logs"
  description = "VPC flow logs write to their log group"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "vpc-flow-logs.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = local.account_id } }
    }]
  })
}

resource "aws_iam_role_policy" "flow_logs" {
  count = var.flow_logs_enabled ? 1 : 0

  name = "write-logs"
  role = aws_iam_role.flow_logs[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "WriteLogs"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
      Resource = "${local.logs_arn}:${local.flow_log_group}:*"
    }]
  })
}
