"""Loads, calls and checks the training recipe, which is a file that its user replaces."""

from retraining.trainer.calling import Trained, train, train_in_parts
from retraining.trainer.contract import check_recipe
from retraining.trainer.loading import Recipe, load_recipe, project_importable
from retraining.trainer.output import stdout_to_log
from retraining.trainer.requirements import pip_requirements, requirements_of_packages

__all__ = [
    "Recipe",
    "Trained",
    "check_recipe",
    "load_recipe",
    "pip_requirements",
    "project_importable",
    "requirements_of_packages",
    "stdout_to_log",
    "train",
    "train_in_parts",
]
