"""How an answer is measured: numbers, languages, judges, a user's scorer."""
