"""Lab 2, model. Its tasks are in `lab_2_model`.

What it gives to the student, and what its models are asked about:
    given_data:            the result of lab 1, requests, other flights
    candidate_predictions: what baselines and candidates for the gate said about 5,000 flights

What the checks share:
    roc_auc:         the area under the ROC curve, and its noise
    transform_trial: a student's transform graph, run elsewhere

The checks:
    check_features: task 1: what the transform graph makes
    check_parity:   task 2: the same features in training and in service
    check_tuner:    task 3: the search for hyperparameters
    check_model:    task 4: what the model says about flights that it has not seen
    check_noise:    task 5: how much an AUC varies by chance
    check_gate:     task 6: what the gate blesses and what it refuses
"""
