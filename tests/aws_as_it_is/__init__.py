"""A double of AWS that is as awkward as AWS itself: moto, with what moto forgives put back.

CloudFormation, Lambda, S3, CloudWatch, IAM's decisions and the resources of a stack are simulated here; moto
simulates the other services. `account.Account` is an AWS account with a clock of its own,
`account.Behaviour` lists what can be switched off. Tests use the fixtures of `fixtures`.
`python -m tests.aws_as_it_is` serves an account over HTTP.
"""
