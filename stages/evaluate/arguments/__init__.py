"""What users may give lm-eval: model arguments, generation arguments, the device."""
