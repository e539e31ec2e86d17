"""Lab 1, plan and data. Its tasks are in `lab_1_data`.

What it gives to the student:
    questions:      whom the label is about, what it is, and what is known when it is asked
    monthly_data:   the months that the sender delivers
    faults:         the faults that are planted in May
    delivery_notes: what the sender writes about May

The checks, with what only they need:
    check_plan:      tasks 1 to 3: label, variables, ingestion
    check_contract:  tasks 4 and 7: the contract, and its revision
    contract_cases:  months that a contract must accept, and the faults that it must see
    tfdv_validation: what TFDV says about months and contracts
    check_faults:    tasks 5 and 6: the faults of May, and what to do about each
    drift:           task 8: months in which the world has changed, and thresholds
"""
