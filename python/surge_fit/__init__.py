"""Which learning rate for which batch size, and how sure are we?"""
