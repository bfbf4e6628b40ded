# Optional: who is told when something is wrong (alarm_email), and when it becomes dear (monthly_budget_usd).
# What the service itself knows is alerted on by Prometheus; here is what Prometheus cannot see.

locals {
  alarms_enabled = var.alarm_email != ""
}

resource "aws_sns_topic" "alarms" {
  count = local.alarms_enabled ? 1 : 0

  name              = "${var.name}-alarms"
  kms_master_key_id = aws_kms_key.platform.arn
}

resource "aws_sns_topic_policy" "alarms" {
  count = local.alarms_enabled ? 1 : 0

  arn = aws_sns_topic.alarms[0].arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Alarms"
        Effect    = "Allow"
        Principal = { Service = "cloudwatch.amazonaws.com" }
        Action    = "sns:Publish"
        Resource  = aws_sns_topic.alarms[0].arn
        Condition = { StringEquals = { "aws:SourceAccount" = local.account_id } }
      },
      {
        Sid       = "Events"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sns:Publish"
        Resource  = aws_sns_topic.alarms[0].arn
      },
    ]
  })
}

resource "aws_sns_topic_subscription" "alarms" {
  count = local.alarms_enabled ? 1 : 0

  topic_arn = aws_sns_topic.alarms[0].arn
  protocol  = "email"
  endpoint  = var.alarm_email
}

resource "aws_cloudwatch_metric_alarm" "unschedulable" {
  count = local.alarms_enabled ? 1 : 0

  alarm_name          = "${var.name}-pods-without-node"
  alarm_description   = "Pods have found no node for 15 minutes: quotas, subnets or node pools"
  namespace           = "AWS/EKS"
  metric_name         = "scheduler_pending_pods_UNSCHEDULABLE"
  dimensions          = { ClusterName = aws_eks_cluster.main.name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms[0].arn]
  ok_actions          = [aws_sns_topic.alarms[0].arn]
}

resource "aws_cloudwatch_metric_alarm" "nat_ports" {
  count = local.alarms_enabled ? length(aws_nat_gateway.main) : 0

  alarm_name          = "${var.name}-nat-ports-${count.index}"
  alarm_description   = "The NAT gateway has no port left for new connections: the collector cannot reach exchanges"
  namespace           = "AWS/NATGateway"
  metric_name         = "ErrorPortAllocation"
  dimensions          = { NatGatewayId = aws_nat_gateway.main[count.index].id }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms[0].arn]
}

resource "aws_cloudwatch_event_rule" "glue_failed" {
  count = local.alarms_enabled && var.glue_enabled ? 1 : 0

  name        = "${var.glue_job_name}-failed"
  description = "A training run on Glue ended badly"
  event_pattern = jsonencode({
    source        = ["aws.glue"]
    "detail-type" = ["Glue Job State Change"]
    detail        = { jobName = [var.glue_job_name], state = ["FAILED", "TIMEOUT", "STOPPED"] }
  })
}

resource "aws_cloudwatch_event_target" "glue_failed" {
  count = length(aws_cloudwatch_event_rule.glue_failed)

  rule = aws_cloudwatch_event_rule.glue_failed[0].name
  arn  = aws_sns_topic.alarms[0].arn
}

resource "aws_budgets_budget" "monthly" {
  count = var.monthly_budget_usd > 0 ? 1 : 0

  name         = "${var.name}-monthly"
  budget_type  = "COST"
  time_unit    = "MONTHLY"
  limit_amount = tostring(var.monthly_budget_usd)
  limit_unit   = "USD"

  notification {
    comparison_operator        = "GREATER_THAN"
    notification_type          = "FORECASTED"
    threshold                  = 100
    threshold_type             = "PERCENTAGE"
    subscriber_email_addresses = [var.alarm_email]
  }

  lifecycle {
    precondition {
      condition     = local.alarms_enabled
      error_message = "monthly_budget_usd needs alarm_email: a budget that tells nobody stops nothing."
    }
  }
}
