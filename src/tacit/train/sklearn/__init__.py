"""Estimators with scikit-learn's manners, paid for in a ledger. They need scikit-learn; the networks need torch as well."""

from tacit.train.sklearn.boosted_trees import PrivateBoostedTrees as PrivateBoostedTrees
from tacit.train.sklearn.classifier import PrivateClassifier as PrivateClassifier
from tacit.train.sklearn.linear_regression import PrivateLinearRegression as PrivateLinearRegression
from tacit.train.sklearn.logistic_regression import PrivateLogisticRegression as PrivateLogisticRegression
from tacit.train.sklearn.naive_bayes import PrivateNaiveBayes as PrivateNaiveBayes
from tacit.train.sklearn.regressor import PrivateRegressor as PrivateRegressor

_ESTIMATORS = (
    PrivateBoostedTrees,
    PrivateClassifier,
    PrivateLinearRegression,
    PrivateLogisticRegression,
    PrivateNaiveBayes,
    PrivateRegressor,
)
"""Every estimator there is: the shared checks run over them."""
