"""Renderers of the templates that stand inside sentences, by subject. Importing a module registers what it holds."""
