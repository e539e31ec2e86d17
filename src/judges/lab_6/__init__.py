"""Lab 6, operate. Its tasks are in `lab_6_operate`.

What it gives to the student:
    incidents:       what goes wrong, one of eight, drawn by the student's seed; and the days on which rules are tried
    traffic:         days of service with it: the log, and what became of each flight
    series:          what Prometheus reads on such days
    service_data:    months, requests, and the first model, for tasks 5 and 6

What the checks share:
    called:          has a function of the student's called elsewhere (`course.trials.called`)
    watched_log:     the log and the outcomes of task 2
    operated:        what was done with the model in service: store, histories, log, and what the versions answer
    candidates:      of a canary, of all kinds

The checks:
    check_serving:   task 1: a project that is served and asked, and its log
    check_watch:     task 2: a watch of another log
    check_diagnosis: task 3: what, since when, where, how many
    check_rules:     task 4: a rule, on days with the incident, with others, and with none
    check_policy:    task 5: a policy, replayed on other years, and the retraining that it has decided
    check_canary:    task 6: decisions about candidates, and the student's own release and roll-back
    check_page:      task 7: the numbers of the incident's page
"""
