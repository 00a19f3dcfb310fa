"""What is changed in other packages, on request: the only modules that touch their attributes."""
