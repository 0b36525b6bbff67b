"""Every kind of task on every kind of model, item by item against lm_eval's command line."""
