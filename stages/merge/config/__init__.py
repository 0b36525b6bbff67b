"""MergeKit's configuration language: the second front end of the merge engine."""
