"""How sure was the model of each value in its JSON?"""
