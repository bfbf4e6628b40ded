# Who may do what with the bucket: one role for each service account, one prefix for each right (docs/adr/0032).

locals {
  # What a service account may read, and what it may write; "delete" only where old files are cleaned up.
  pod_access = {
    (var.api_service_account)       = { read = ["candles", "models"], write = [], delete = [] }
    (var.collector_service_account) = { read = ["candles"], write = ["candles"], delete = ["candles"] }
    (var.trainer_service_account)   = { read = ["candles", "models"], write = ["models"], delete = [] }
  }

  # Glue trains, too: the same access, and the script that it runs.
  glue_access = { read = ["candles", "models", "glue"], write = ["models"], delete = [] }

  access = merge(local.pod_access, { (var.glue_role_name) = local.glue_access })

  access_statements = {
    for name, may in local.access : name => concat(
      [
        {
          Sid      = "List"
          Effect   = "Allow"
          Action   = ["s3:ListBucket"]
          Resource = [local.bucket_arn]
          # "IfExists": a GET has no prefix, and without the right to list its answer to a key that is not there
          # is 403, which the service must never take for "not found".
          Condition = { StringLikeIfExists = { "s3:prefix" = [for prefix in may.read : "${prefix}/*"] } }
        },
        {
          Sid       = "Read"
          Effect    = "Allow"
          Action    = ["s3:GetObject"]
          Resource  = [for prefix in may.read : "${local.bucket_arn}/${prefix}/*"]
          Condition = {}
        },
        {
          Sid       = "UseKey"
          Effect    = "Allow"
          Action    = concat(["kms:Decrypt"], length(may.write) > 0 ? ["kms:GenerateDataKey"] : [])
          Resource  = [aws_kms_key.data.arn]
          Condition = { StringEquals = { "kms:ViaService" = "s3.${var.region}.amazonaws.com" } }
        },
      ],
      # A conditional write (If-Match, If-None-Match) takes no right beyond these.
      [for prefix in may.write : {
        Sid       = "Write"
        Effect    = "Allow"
        Action    = ["s3:PutObject", "s3:AbortMultipartUpload"]
        Resource  = ["${local.bucket_arn}/${prefix}/*"]
        Condition = {}
      }],
      # Compaction and log clean-up of the candle table; versions stay in the bucket for a while.
      [for prefix in may.delete : {
        Sid       = "Delete"
        Effect    = "Allow"
        Action    = ["s3:DeleteObject"]
        Resource  = ["${local.bucket_arn}/${prefix}/*"]
        Condition = {}
      }],
    )
  }

  # An empty Condition is dropped: AWS stores the policy without one, and a plan would show a change for ever.
  access_policies = {
    for name, statements in local.access_statements : name => jsonencode({
      Version = "2012-10-17"
      Statement = [
        for statement in statements : { for key, value in statement : key => value if key != "Condition" || length(value) > 0 }
      ]
    })
  }
}

resource "aws_iam_role" "pod" {
  for_each = local.pod_access

  name        = each.key
  description = "Pods of the service account ${var.kubernetes_namespace}/${each.key} in ${var.cluster_name}"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "pods.eks.amazonaws.com" }
      Action    = ["sts:AssumeRole", "sts:TagSession"]
      Condition = {
        StringEquals = {
          "aws:RequestTag/eks-cluster-name"           = var.cluster_name
          "aws:RequestTag/kubernetes-namespace"       = var.kubernetes_namespace
          "aws:RequestTag/kubernetes-service-account" = each.key
        }
      }
    }]
  })
}

resource "aws_iam_role_policy" "pod" {
  for_each = local.pod_access

  name   = "store"
  role   = aws_iam_role.pod[each.key].id
  policy = local.access_policies[each.key]
}

resource "aws_eks_pod_identity_association" "pod" {
  for_each = local.pod_access

  cluster_name    = aws_eks_cluster.main.name
  namespace       = var.kubernetes_namespace
  service_account = each.key
  role_arn        = aws_iam_role.pod[each.key].arn

  depends_on = [aws_iam_role_policy.pod]
}
