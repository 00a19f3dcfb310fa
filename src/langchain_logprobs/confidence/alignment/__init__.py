"""Which part of the answer's text does each token spell?"""
