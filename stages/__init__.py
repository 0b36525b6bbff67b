"""The rooms of germline, one per stage, and the few nouns they share."""
