# What the variables change.

mock_provider "aws" {
  source = "./tests/account"
}

run "two_zones_with_a_nat_gateway_each" {
  command = apply

  variables {
    zone_count   = 2
    nat_per_zone = true
  }

  assert {
    condition     = length(aws_nat_gateway.main) == 2 && length(aws_subnet.private) == 2
    error_message = "A NAT gateway for each zone."
  }

  assert {
    condition     = [for route in aws_route.nat : route.nat_gateway_id] == aws_nat_gateway.main[*].id
    error_message = "Each zone goes out through its own."
  }
}

run "an_api_for_the_vpc_alone" {
  command = plan

  variables {
    api_public_cidrs = []
  }

  assert {
    condition     = !aws_eks_cluster.main.vpc_config[0].endpoint_public_access && aws_eks_cluster.main.vpc_config[0].endpoint_private_access
    error_message = "No block, no public endpoint."
  }
}

run "an_api_for_an_office" {
  command = plan

  variables {
    api_public_cidrs = ["203.0.113.0/24"]
  }

  assert {
    condition     = aws_eks_cluster.main.vpc_config[0].endpoint_public_access && aws_eks_cluster.main.vpc_config[0].public_access_cidrs == toset(["203.0.113.0/24"])
    error_message = "Only the office."
  }
}

run "other_administrators" {
  command = plan

  variables {
    admin_principal_arns = ["arn:aws:iam::123456789012:role/operators"]
  }

  assert {
    condition     = aws_eks_access_policy_association.admin["arn:aws:iam::123456789012:role/operators"].policy_arn == "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
    error_message = "An access entry for each."
  }
}

run "glue" {
  command = plan

  variables {
    glue_enabled      = true
    glue_script_path  = "./tests/glue/train.py"
    glue_wheel_path   = "./tests/glue/cripto-1.0.0-py3-none-any.whl"
    glue_requirements = "./tests/glue/requirements.txt"
    glue_arguments    = { "--interval" = "4h" }
  }

  assert {
    condition     = aws_glue_job.training[0].name == "cripto-prediction-training" && aws_glue_job.training[0].glue_version == "5.1" && aws_glue_job.training[0].worker_type == "G.1X"
    error_message = "The job is named and sized as documented."
  }

  assert {
    condition     = aws_glue_job.training[0].command[0].script_location == "s3://criptos-data/glue/train.py" && toset([for object in aws_s3_object.glue : object.key]) == toset(["glue/train.py", "glue/cripto-1.0.0-py3-none-any.whl", "glue/requirements.txt"])
    error_message = "Script, wheel and requirements lie below glue/."
  }

  assert {
    condition     = aws_glue_job.training[0].default_arguments["--store"] == "s3://criptos-data" && aws_glue_job.training[0].default_arguments["--promote"] == "true" && aws_glue_job.training[0].default_arguments["--interval"] == "4h" && aws_glue_job.training[0].default_arguments["--additional-python-modules"] == "s3://criptos-data/glue/cripto-1.0.0-py3-none-any.whl,joblib==1.6.0,scikit-learn==1.9.0"
    error_message = "The job is called as its script expects, and arguments can be replaced."
  }

  assert {
    condition     = aws_glue_trigger.training[0].schedule == "cron(30 0 ? * MON *)" && keys(aws_cloudwatch_log_group.glue) == ["/aws-glue/jobs/cripto-prediction-training/error", "/aws-glue/jobs/cripto-prediction-training/output"]
    error_message = "A schedule, and log groups that end."
  }
}

run "glue_by_hand" {
  command = plan

  variables {
    glue_enabled      = true
    glue_schedule     = ""
    glue_script_path  = "./tests/glue/train.py"
    glue_wheel_path   = "./tests/glue/cripto-1.0.0-py3-none-any.whl"
    glue_requirements = "./tests/glue/requirements.txt"
  }

  assert {
    condition     = length(aws_glue_trigger.training) == 0
    error_message = "No schedule, no trigger."
  }
}

run "glue_without_its_wheel" {
  command = plan

  variables {
    glue_enabled      = true
    glue_script_path  = "./tests/glue/train.py"
    glue_wheel_path   = "./nowhere/cripto-1.0.0-py3-none-any.whl"
    glue_requirements = "./tests/glue/requirements.txt"
  }

  expect_failures = [aws_glue_job.training]
}

run "alarms_and_a_budget" {
  command = plan

  variables {
    alarm_email        = "ops@example.com"
    monthly_budget_usd = 400
    nat_per_zone       = true
  }

  assert {
    condition     = aws_sns_topic_subscription.alarms[0].endpoint == "ops@example.com" && length(aws_cloudwatch_metric_alarm.nat_ports) == 3 && length(aws_cloudwatch_metric_alarm.unschedulable) == 1
    error_message = "Alarms reach the address."
  }

  assert {
    condition     = aws_budgets_budget.monthly[0].limit_amount == "400" && aws_budgets_budget.monthly[0].limit_unit == "USD"
    error_message = "The budget is what was asked for."
  }
}

run "a_budget_that_tells_nobody" {
  command = plan

  variables {
    monthly_budget_usd = 400
  }

  expect_failures = [aws_budgets_budget.monthly]
}
