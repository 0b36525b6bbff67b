"""What a model cannot be asked, found before its weights are loaded or merged."""
