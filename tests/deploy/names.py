"""Names that Terraform, the manifests, the images and the README share; the tests hold each of them to this."""

__all__ = [
    "API",
    "BUCKET",
    "CLUSTER",
    "COLLECTOR",
    "GLUE_JOB",
    "GLUE_ROLE",
    "IMAGES",
    "NAMESPACE",
    "REGION",
    "SERVICE_ACCOUNTS",
    "TRAINER",
]

REGION = "us-east-1"
CLUSTER = "cripto-prediction-cluster"
BUCKET = "criptos-data"
NAMESPACE = "default"
API = "cripto-prediction-api"
COLLECTOR = "cripto-prediction-collector"
TRAINER = "cripto-prediction-trainer"
SERVICE_ACCOUNTS = (API, COLLECTOR, TRAINER)
IMAGES = ("cripto-prediction-api", "cripto-prediction-jobs")
GLUE_JOB = "cripto-prediction-training"
GLUE_ROLE = "cripto-prediction-glue"
