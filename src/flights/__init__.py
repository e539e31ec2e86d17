"""Will a flight out of New York arrive late? An ordinary TFX project: data, features, model, evaluation, pipeline.

Copy this folder to start a project of your own. Nothing in it teaches; the course's lessons import it.
"""
