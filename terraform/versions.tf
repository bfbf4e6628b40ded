terraform {
  # 1.11 is the first whose S3 backend locks without a DynamoDB table.
  required_version = ">= 1.11.0, < 2.0.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100.0, < 7.0.0"
    }
  }

  # State lives beside the configuration until you uncomment this; README.md says how. The bucket is one you made
  # before, apart from the one below: what holds the state must outlive what the state describes.
  #
  # backend "s3" {
  #   bucket       = "criptos-terraform-state"
  #   key          = "cripto-prediction/terraform.tfstate"
  #   region       = "us-east-1"
  #   encrypt      = true
  #   use_lockfile = true
  # }
}
