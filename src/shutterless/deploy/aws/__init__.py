"""AWS's services: session, CloudFormation, ECR, CloudWatch, logs, and errors explained."""
