"""What a person should know of the columns before a model learns them: a survey of typed rows, made
once, at registration.
"""

from retraining.datasets.survey.remarks import Remark, Subject
from retraining.datasets.survey.surveying import survey

__all__ = ["Remark", "Subject", "survey"]
