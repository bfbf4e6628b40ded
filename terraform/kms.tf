# Two keys: one for candles and models, which pods must be allowed to use, one for all that AWS itself encrypts.

resource "aws_kms_key" "data" {
  description             = "${var.name}: the bucket of candles and models"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = jsonencode({ Version = "2012-10-17", Statement = [local.key_by_iam] })
}

resource "aws_kms_alias" "data" {
  name          = "alias/${var.name}-data"
  target_key_id = aws_kms_key.data.key_id
}

resource "aws_kms_key" "platform" {
  description             = "${var.name}: Kubernetes secrets, images, logs and notifications"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = concat([local.key_by_iam, local.key_for_logs], local.alarms_enabled ? [local.key_for_notifications] : [])
  })
}

resource "aws_kms_alias" "platform" {
  name          = "alias/${var.name}-platform"
  target_key_id = aws_kms_key.platform.key_id
}

locals {
  # Without it nobody could ever change the key again; what it grants is nothing until an IAM policy does, too.
  key_by_iam = {
    Sid       = "IamDecides"
    Effect    = "Allow"
    Principal = { AWS = "arn:${local.partition}:iam::${local.account_id}:root" }
    Action    = "kms:*"
    Resource  = "*"
  }

  key_for_logs = {
    Sid       = "CloudWatchLogs"
    Effect    = "Allow"
    Principal = { Service = "logs.${var.region}.amazonaws.com" }
    Action    = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:GenerateDataKey", "kms:DescribeKey"]
    Resource  = "*"
    Condition = {
      ArnEquals = {
        "kms:EncryptionContext:aws:logs:arn" = [for name in local.log_group_names : "${local.logs_arn}:${name}"]
      }
    }
  }

  # EventBridge names no source when it uses a key or a topic: a condition would silence it.
  key_for_notifications = {
    Sid       = "Notifications"
    Effect    = "Allow"
    Principal = { Service = ["cloudwatch.amazonaws.com", "events.amazonaws.com"] }
    Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
    Resource  = "*"
  }
}
