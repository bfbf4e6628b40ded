# Every default gives what the README's commands expect; change them in terraform.tfvars.

variable "name" {
  description = "Prefix of what has no name of its own: the VPC, keys, alarms"
  type        = string
  default     = "cripto-prediction"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 32 lower-case letters, digits and hyphens, and begin with a letter."
  }
}

variable "region" {
  description = "AWS region; AWS_DEFAULT_REGION of the manifests names the same"
  type        = string
  default     = "us-east-1"

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be an AWS region, such as us-east-1."
  }
}

variable "tags" {
  description = "Tags added to everything"
  type        = map(string)
  default     = {}
}

# Network

variable "vpc_cidr" {
  description = "Addresses of the VPC, a /16 to /18; every pod takes one"
  type        = string
  default     = "10.42.0.0/16"

  validation {
    condition     = can(cidrnetmask(var.vpc_cidr)) && contains(["16", "17", "18"], try(split("/", var.vpc_cidr)[1], ""))
    error_message = "vpc_cidr must be an IPv4 block of /16, /17 or /18."
  }
}

variable "zone_count" {
  description = "Availability zones to spread over, 2 or 3"
  type        = number
  default     = 3

  validation {
    condition     = contains([2, 3], var.zone_count)
    error_message = "zone_count must be 2 or 3."
  }
}

variable "nat_per_zone" {
  description = "One NAT gateway for each zone, so that losing a zone leaves the others a way out; otherwise one for all"
  type        = bool
  default     = false
}

variable "flow_logs_enabled" {
  description = "Keep a log of the connections that the VPC refused"
  type        = bool
  default     = true
}

# Cluster

variable "cluster_name" {
  description = "Name of the EKS cluster, as in `aws eks update-kubeconfig --name`"
  type        = string
  default     = "cripto-prediction-cluster"

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9-]{0,55}$", var.cluster_name))
    error_message = "cluster_name must be 1 to 56 letters, digits and hyphens, so that names of roles fit."
  }
}

variable "kubernetes_version" {
  description = "Kubernetes version of the cluster; 1.35 is in standard support until 2027-03-27"
  type        = string
  default     = "1.35"

  validation {
    condition     = can(regex("^1\\.(3[4-9]|[4-9][0-9])$", var.kubernetes_version))
    error_message = "kubernetes_version must be 1.34 or later, written as 1.NN."
  }
}

variable "kubernetes_support" {
  description = "STANDARD: upgraded by AWS when standard support ends; EXTENDED: kept for a year more, at six times the price of the cluster"
  type        = string
  default     = "STANDARD"

  validation {
    condition     = contains(["STANDARD", "EXTENDED"], var.kubernetes_support)
    error_message = "kubernetes_support must be STANDARD or EXTENDED."
  }
}

variable "api_public_cidrs" {
  description = "Who may reach the Kubernetes API from the internet (IAM decides on top); empty: only from within the VPC"
  type        = list(string)
  default     = ["0.0.0.0/0"]

  validation {
    condition     = alltrue([for block in var.api_public_cidrs : can(cidrnetmask(block))])
    error_message = "api_public_cidrs must be IPv4 blocks, such as 203.0.113.7/32."
  }
}

variable "admin_principal_arns" {
  description = "IAM roles or users that administer the cluster, beside the one that created it"
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.admin_principal_arns : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/", arn))])
    error_message = "admin_principal_arns must be ARNs of IAM roles or users."
  }
}

variable "control_plane_logs" {
  description = "Logs of the control plane that are kept in CloudWatch"
  type        = set(string)
  default     = ["api", "audit", "authenticator", "controllerManager", "scheduler"]

  validation {
    condition     = length(setsubtract(var.control_plane_logs, ["api", "audit", "authenticator", "controllerManager", "scheduler"])) == 0
    error_message = "control_plane_logs knows api, audit, authenticator, controllerManager and scheduler."
  }
}

variable "metrics_server_enabled" {
  description = "Install metrics-server, which the HorizontalPodAutoscaler needs"
  type        = bool
  default     = true
}

# Workloads: the names of the manifests

variable "kubernetes_namespace" {
  description = "Namespace of the service accounts"
  type        = string
  default     = "default"

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", var.kubernetes_namespace))
    error_message = "kubernetes_namespace must be a DNS label."
  }
}

variable "api_service_account" {
  description = "Service account, and role, of the API: reads candles and models"
  type        = string
  default     = "cripto-prediction-api"
}

variable "collector_service_account" {
  description = "Service account, and role, of the collector: reads and writes candles"
  type        = string
  default     = "cripto-prediction-collector"
}

variable "trainer_service_account" {
  description = "Service account, and role, of the trainer: reads candles, reads and writes models"
  type        = string
  default     = "cripto-prediction-trainer"
}

variable "image_names" {
  description = "ECR repositories, one for each image"
  type        = set(string)
  default     = ["cripto-prediction-api", "cripto-prediction-jobs"]
}

variable "images_kept" {
  description = "Images kept in each repository; older ones are removed"
  type        = number
  default     = 50

  validation {
    condition     = var.images_kept >= 5 && floor(var.images_kept) == var.images_kept
    error_message = "images_kept must be a whole number, at least 5: a rollback needs the image before."
  }
}

# Storage

variable "bucket_name" {
  description = "S3 bucket of candles and models; the names of all buckets of AWS differ, so this default may be taken"
  type        = string
  default     = "criptos-data"

  validation {
    # Without dots: TLS names of a bucket match one label.
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.bucket_name))
    error_message = "bucket_name must be 3 to 63 lower-case letters, digits and hyphens, without dots."
  }
}

variable "candle_versions_kept_days" {
  description = "Days that replaced and deleted files of the candle table can still be had back"
  type        = number
  default     = 30

  validation {
    condition     = var.candle_versions_kept_days >= 1
    error_message = "candle_versions_kept_days must be at least 1."
  }
}

variable "model_versions_kept_days" {
  description = "Days that replaced and deleted files of releases can still be had back"
  type        = number
  default     = 365

  validation {
    condition     = var.model_versions_kept_days >= 1
    error_message = "model_versions_kept_days must be at least 1."
  }
}

variable "force_destroy" {
  description = "Let `terraform destroy` delete the bucket with all candles and releases, and repositories with images"
  type        = bool
  default     = false
}

# Training on Glue

variable "glue_enabled" {
  description = "Create the Glue training job; `make glue` first"
  type        = bool
  default     = false
}

variable "glue_job_name" {
  description = "Name of the Glue job"
  type        = string
  default     = "cripto-prediction-training"
}

variable "glue_role_name" {
  description = "Role of the Glue job: reads candles and its script, reads and writes models"
  type        = string
  default     = "cripto-prediction-glue"
}

variable "glue_script_path" {
  description = "The script that Glue runs, uploaded as glue/train.py"
  type        = string
  default     = "../glue/train.py"
}

variable "glue_wheel_path" {
  description = "The wheel of this project, made by `make glue`"
  type        = string
  default     = "../dist/glue/cripto-1.0.0-py3-none-any.whl"

  validation {
    condition     = endswith(var.glue_wheel_path, ".whl")
    error_message = "glue_wheel_path must name a wheel."
  }
}

variable "glue_requirements" {
  description = "What the job imports beside Spark and the wheel, a pinned module a line, made by `make glue`"
  type        = string
  default     = "../dist/glue/requirements.txt"
}

variable "glue_interval" {
  description = "Candle interval that Glue trains for"
  type        = string
  default     = "1d"
}

variable "glue_arguments" {
  description = "Arguments of the job that replace or extend the default ones"
  type        = map(string)
  default     = {}
}

variable "glue_schedule" {
  description = "When Glue trains, UTC; empty: only when started by hand"
  type        = string
  default     = "cron(30 0 ? * MON *)"

  validation {
    condition     = var.glue_schedule == "" || can(regex("^cron\\([^()]+\\)$", var.glue_schedule))
    error_message = "glue_schedule must be empty or cron(...)."
  }
}

variable "glue_worker_type" {
  description = "Size of a Glue worker"
  type        = string
  default     = "G.1X"

  validation {
    condition     = contains(["G.1X", "G.2X", "G.4X", "G.8X"], var.glue_worker_type)
    error_message = "glue_worker_type must be G.1X, G.2X, G.4X or G.8X."
  }
}

variable "glue_workers" {
  description = "Glue workers, driver included; Glue demands 2"
  type        = number
  default     = 2

  validation {
    condition     = var.glue_workers >= 2
    error_message = "glue_workers must be at least 2."
  }
}

variable "glue_timeout_minutes" {
  description = "A run that takes longer is stopped"
  type        = number
  default     = 120

  validation {
    condition     = var.glue_timeout_minutes >= 5
    error_message = "glue_timeout_minutes must be at least 5."
  }
}

# Watching

variable "log_retention_days" {
  description = "Days that logs are kept"
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a period that CloudWatch knows, such as 7, 14, 30, 90 or 365."
  }
}

variable "alarm_email" {
  description = "Who is told of alarms; empty: no alarms"
  type        = string
  default     = ""

  validation {
    condition     = var.alarm_email == "" || can(regex("^[^@ ]+@[^@ ]+$", var.alarm_email))
    error_message = "alarm_email must be empty or an e-mail address."
  }
}

variable "monthly_budget_usd" {
  description = "Tell alarm_email when a month is forecast to cost more than this; 0: no budget"
  type        = number
  default     = 0

  validation {
    condition     = var.monthly_budget_usd >= 0
    error_message = "monthly_budget_usd must not be negative."
  }
}
