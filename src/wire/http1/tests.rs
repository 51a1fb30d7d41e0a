mod strictness {}
