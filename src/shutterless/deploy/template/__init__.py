"""Build, check and compare the CloudFormation template of a deployment."""
