# The one state of the system: candles and models. What is current never expires.

resource "aws_s3_bucket" "data" {
  #checkov:skip=CKV_AWS_18:an access log is a second bucket; CloudTrail's data events tell the same where an account keeps them
  #checkov:skip=CKV_AWS_144:candles can be fetched and models trained again; versions guard against deletion
  #checkov:skip=CKV2_AWS_62:nothing waits for events: servers look at the pointer and the candle log
  bucket        = var.bucket_name
  force_destroy = var.force_destroy

  # A bucket that is not deleted, since it holds objects, keeps the key that reads them.
  depends_on = [aws_kms_key.data]
}

resource "aws_s3_bucket_public_access_block" "data" {
  bucket                  = aws_s3_bucket.data.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "data" {
  bucket = aws_s3_bucket.data.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_versioning" "data" {
  bucket = aws_s3_bucket.data.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "data" {
  bucket = aws_s3_bucket.data.id

  rule {
    # One call to KMS for many objects: the collector writes small ones all day.
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.data.arn
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "data" {
  bucket = aws_s3_bucket.data.id

  # Rules are for versions that have been replaced or deleted, and for uploads that were never finished.
  rule {
    id     = "candles"
    status = "Enabled"

    filter {
      prefix = "candles/"
    }

    noncurrent_version_expiration {
      noncurrent_days = var.candle_versions_kept_days
    }
  }

  rule {
    id     = "models"
    status = "Enabled"

    filter {
      prefix = "models/"
    }

    noncurrent_version_expiration {
      noncurrent_days = var.model_versions_kept_days
    }
  }

  rule {
    id     = "leftovers"
    status = "Enabled"

    filter {}

    expiration {
      expired_object_delete_marker = true
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  depends_on = [aws_s3_bucket_versioning.data]
}

resource "aws_s3_bucket_policy" "data" {
  bucket = aws_s3_bucket.data.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [local.bucket_arn, "${local.bucket_arn}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      {
        Sid       = "Tls12"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [local.bucket_arn, "${local.bucket_arn}/*"]
        Condition = { NumericLessThan = { "s3:TlsVersion" = "1.2" } }
      },
    ]
  })

  depends_on = [aws_s3_bucket_public_access_block.data]
}
