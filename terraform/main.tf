# What everything else is built from. One file for each subject lies beside this one.

provider "aws" {
  region = var.region

  default_tags {
    tags = merge({ Project = var.name, ManagedBy = "terraform" }, var.tags)
  }
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_availability_zones" "available" {
  #checkov:skip=CKV_AWS_394:subnets keep the zone that they were made in (network.tf)
  state = "available"

  # EKS has no control plane in these (its user guide, "VPC and subnet requirements").
  exclude_zone_ids = ["use1-az3", "usw1-az2", "cac1-az3"]

  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

locals {
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
  zones      = slice(data.aws_availability_zones.available.names, 0, var.zone_count)

  # Written out, so that a plan shows every policy whole before anything exists.
  bucket_arn  = "arn:${local.partition}:s3:::${var.bucket_name}"
  cluster_arn = "arn:${local.partition}:eks:${var.region}:${local.account_id}:cluster/${var.cluster_name}"
  logs_arn    = "arn:${local.partition}:logs:${var.region}:${local.account_id}:log-group"
}
