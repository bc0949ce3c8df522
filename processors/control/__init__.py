"""The control plane's decisions: a command and the configuration as it is -> what changes and the answer. Pure."""
