"""Lab 1, plan and data. Its tasks are in `lab_1_data`.

What it gives to the student:
    questions:      whom the label is about, what it is, and what is known when it is asked
    monthly_data:   the months that the sender delivers
    faults:         the faults that are planted in May
    delivery_notes: what the sender writes about May
    drifted_months: months in which the world has changed

What the checks share:
    answer_validation: answers that are not of the form that was asked for
    contract_cases:    months that a contract must accept, and months that it must refuse
    tfdv_validation:   what TFDV says about months and contracts

The checks:
    check_plan:     tasks 1 to 3: label, variables, ingestion
    check_contract: tasks 4 and 7: the contract, and its revision
    check_faults:   tasks 5 and 6: the faults of May, and what to do about each
    check_drift:    task 8: thresholds of drift
"""
