# Bad input is refused before anything is planned. Each variable listed must fail, or the run does.

mock_provider "aws" {
  source = "./tests/account"
}

run "bad_input" {
  command = plan

  variables {
    name                      = "Cripto Prediction"
    region                    = "virginia"
    vpc_cidr                  = "10.42.0.0/24"
    zone_count                = 1
    cluster_name              = "cripto_prediction"
    kubernetes_version        = "1.29"
    kubernetes_support        = "FOREVER"
    api_public_cidrs          = ["everybody"]
    admin_principal_arns      = ["operators"]
    control_plane_logs        = ["audits"]
    kubernetes_namespace      = "Default"
    images_kept               = 1
    bucket_name               = "criptos.data"
    candle_versions_kept_days = 0
    model_versions_kept_days  = 0
    glue_wheel_path           = "../dist/cripto.zip"
    glue_schedule             = "weekly"
    glue_worker_type          = "G.0X"
    glue_workers              = 1
    glue_timeout_minutes      = 1
    log_retention_days        = 31
    alarm_email               = "ops"
    monthly_budget_usd        = -1
  }

  expect_failures = [
    var.name,
    var.region,
    var.vpc_cidr,
    var.zone_count,
    var.cluster_name,
    var.kubernetes_version,
    var.kubernetes_support,
    var.api_public_cidrs,
    var.admin_principal_arns,
    var.control_plane_logs,
    var.kubernetes_namespace,
    var.images_kept,
    var.bucket_name,
    var.candle_versions_kept_days,
    var.model_versions_kept_days,
    var.glue_wheel_path,
    var.glue_schedule,
    var.glue_worker_type,
    var.glue_workers,
    var.glue_timeout_minutes,
    var.log_retention_days,
    var.alarm_email,
    var.monthly_budget_usd,
  ]
}
