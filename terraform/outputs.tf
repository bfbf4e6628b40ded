output "region" {
  description = "AWS region"
  value       = var.region
}

output "cluster_name" {
  description = "Name of the EKS cluster"
  value       = aws_eks_cluster.main.name
}

output "cluster_endpoint" {
  description = "URL of the Kubernetes API"
  value       = aws_eks_cluster.main.endpoint
}

output "update_kubeconfig" {
  description = "The command that points kubectl at the cluster"
  value       = "aws eks update-kubeconfig --region ${var.region} --name ${aws_eks_cluster.main.name}"
}

output "bucket_name" {
  description = "BUCKET_NAME of the manifests"
  value       = aws_s3_bucket.data.bucket
}

output "repository_urls" {
  description = "Where each image is pushed to"
  value       = { for name, repository in aws_ecr_repository.image : name => repository.repository_url }
}

output "service_account_roles" {
  description = "ARN of the role of each service account"
  value       = { for name, role in aws_iam_role.pod : name => role.arn }
}

output "data_key_arn" {
  description = "KMS key of the bucket; whoever reads it from elsewhere needs kms:Decrypt"
  value       = aws_kms_key.data.arn
}

output "vpc_id" {
  description = "VPC of the cluster"
  value       = aws_vpc.main.id
}

output "private_subnet_ids" {
  description = "Subnets of the nodes"
  value       = aws_subnet.private[*].id
}

output "glue_job_name" {
  description = "Name of the Glue job; null where Glue is off"
  value       = one(aws_glue_job.training[*].name)
}
