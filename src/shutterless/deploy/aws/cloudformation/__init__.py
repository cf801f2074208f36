"""CloudFormation: a stack, its states, its events, and its changes by change sets."""
