# What `terraform apply` gives with no variable set, on an account that is made up.

mock_provider "aws" {
  source = "./tests/account"
}

run "apply" {
  command = apply

  assert {
    condition     = output.cluster_name == "cripto-prediction-cluster" && output.bucket_name == "criptos-data" && output.region == "us-east-1"
    error_message = "The README's commands name the region, the cluster and the bucket."
  }

  assert {
    condition     = output.update_kubeconfig == "aws eks update-kubeconfig --region us-east-1 --name cripto-prediction-cluster"
    error_message = "update_kubeconfig must be the README's command."
  }
}

run "cluster" {
  command = plan

  assert {
    condition     = aws_eks_cluster.main.compute_config[0].enabled && aws_eks_cluster.main.storage_config[0].block_storage[0].enabled && aws_eks_cluster.main.kubernetes_network_config[0].elastic_load_balancing[0].enabled && !aws_eks_cluster.main.bootstrap_self_managed_addons
    error_message = "Auto Mode is all of these or none."
  }

  assert {
    condition     = aws_eks_cluster.main.access_config[0].authentication_mode == "API"
    error_message = "Access is by access entries alone, not by a ConfigMap."
  }

  assert {
    condition     = aws_eks_cluster.main.vpc_config[0].endpoint_private_access && aws_eks_cluster.main.vpc_config[0].subnet_ids == toset(aws_subnet.private[*].id)
    error_message = "Nodes reach the API from within, and lie in private subnets."
  }

  assert {
    condition     = aws_eks_cluster.main.encryption_config[0].resources == toset(["secrets"]) && aws_eks_cluster.main.encryption_config[0].provider[0].key_arn == aws_kms_key.platform.arn
    error_message = "Secrets are encrypted with our key."
  }

  assert {
    condition     = aws_eks_cluster.main.enabled_cluster_log_types == toset(["api", "audit", "authenticator", "controllerManager", "scheduler"])
    error_message = "All logs of the control plane are kept."
  }

  assert {
    condition     = aws_eks_cluster.main.upgrade_policy[0].support_type == "STANDARD"
    error_message = "Extended support costs six times as much: only by choice."
  }

  assert {
    condition     = toset([for each in aws_eks_pod_identity_association.pod : "${each.namespace}/${each.service_account}"]) == toset(["default/cripto-prediction-api", "default/cripto-prediction-collector", "default/cripto-prediction-trainer"])
    error_message = "Each service account has its association."
  }

  assert {
    condition     = length(aws_eks_access_entry.admin) == 0 && length(aws_eks_addon.metrics_server) == 1
    error_message = "No other administrator, and metrics for the autoscaler."
  }
}

run "network" {
  command = plan

  assert {
    condition     = length(aws_subnet.private) == 3 && length(aws_subnet.public) == 3 && length(aws_nat_gateway.main) == 1
    error_message = "Three zones and one NAT gateway."
  }

  assert {
    condition     = alltrue([for subnet in concat(aws_subnet.private, aws_subnet.public) : subnet.map_public_ip_on_launch != true])
    error_message = "Nothing gets a public address by itself."
  }

  assert {
    condition     = alltrue([for subnet in aws_subnet.private : subnet.tags["kubernetes.io/role/internal-elb"] == "1"]) && alltrue([for subnet in aws_subnet.public : subnet.tags["kubernetes.io/role/elb"] == "1"])
    error_message = "Load balancers find their subnets by these tags."
  }

  assert {
    condition     = length(distinct(concat(aws_subnet.private[*].cidr_block, aws_subnet.public[*].cidr_block))) == 6 && aws_subnet.private[2].cidr_block == "10.42.64.0/19" && aws_subnet.public[0].cidr_block == "10.42.192.0/22"
    error_message = "Subnets overlap or have moved."
  }

  assert {
    condition     = aws_vpc_endpoint.s3.vpc_endpoint_type == "Gateway" && aws_vpc_endpoint.s3.route_table_ids == toset(aws_route_table.private[*].id)
    error_message = "S3 is reached through the endpoint from every private subnet."
  }
}

run "storage" {
  command = plan

  assert {
    condition     = aws_s3_bucket_public_access_block.data.block_public_acls && aws_s3_bucket_public_access_block.data.block_public_policy && aws_s3_bucket_public_access_block.data.ignore_public_acls && aws_s3_bucket_public_access_block.data.restrict_public_buckets
    error_message = "The bucket is never public."
  }

  assert {
    condition     = aws_s3_bucket_ownership_controls.data.rule[0].object_ownership == "BucketOwnerEnforced" && aws_s3_bucket_versioning.data.versioning_configuration[0].status == "Enabled"
    error_message = "The owner owns all objects, and their versions are kept."
  }

  assert {
    condition     = one(aws_s3_bucket_server_side_encryption_configuration.data.rule).apply_server_side_encryption_by_default[0].kms_master_key_id == aws_kms_key.data.arn
    error_message = "Objects are encrypted with our key."
  }

  assert {
    condition     = alltrue([for rule in aws_s3_bucket_lifecycle_configuration.data.rule : alltrue([for expiration in rule.expiration : (expiration.days == null ? true : expiration.days == 0) && expiration.date == null])])
    error_message = "What is current never expires."
  }

  assert {
    condition     = anytrue([for rule in aws_s3_bucket_lifecycle_configuration.data.rule : length(rule.abort_incomplete_multipart_upload) == 1])
    error_message = "Uploads that were never finished are removed."
  }

  assert {
    condition     = !aws_s3_bucket.data.force_destroy
    error_message = "A destroy must not take the candles along."
  }

  assert {
    condition     = { for statement in jsondecode(aws_s3_bucket_policy.data.policy).Statement : statement.Sid => [statement.Effect, statement.Condition] } == { TlsOnly = ["Deny", { Bool = { "aws:SecureTransport" = "false" } }], Tls12 = ["Deny", { NumericLessThan = { "s3:TlsVersion" = "1.2" } }] }
    error_message = "The bucket answers over TLS 1.2 or later alone."
  }
}

run "images" {
  command = plan

  assert {
    condition     = toset(keys(aws_ecr_repository.image)) == toset(["cripto-prediction-api", "cripto-prediction-jobs"])
    error_message = "One repository for each image."
  }

  assert {
    condition     = alltrue([for repository in aws_ecr_repository.image : repository.image_tag_mutability == "IMMUTABLE" && repository.image_scanning_configuration[0].scan_on_push && repository.encryption_configuration[0].kms_key == aws_kms_key.platform.arn && !repository.force_delete])
    error_message = "Tags never move, images are scanned and encrypted with our key."
  }
}

run "keys_and_logs" {
  command = plan

  assert {
    condition     = aws_kms_key.data.enable_key_rotation && aws_kms_key.platform.enable_key_rotation
    error_message = "Keys rotate."
  }

  assert {
    condition     = aws_cloudwatch_log_group.eks.name == "/aws/eks/cripto-prediction-cluster/cluster" && aws_cloudwatch_log_group.eks.retention_in_days == 30 && aws_cloudwatch_log_group.eks.kms_key_id == aws_kms_key.platform.arn
    error_message = "Logs of the control plane end, and are encrypted."
  }

  assert {
    condition     = aws_flow_log.rejected[0].traffic_type == "REJECT" && aws_cloudwatch_log_group.flow[0].retention_in_days == 30
    error_message = "Refused connections are logged."
  }
}

run "nothing_optional" {
  command = plan

  assert {
    condition     = length(aws_glue_job.training) + length(aws_s3_object.glue) + length(aws_iam_role.glue) + length(aws_sns_topic.alarms) + length(aws_cloudwatch_metric_alarm.unschedulable) + length(aws_budgets_budget.monthly) == 0
    error_message = "Glue, alarms and the budget are off until asked for."
  }
}
