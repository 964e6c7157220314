"""The temperature is fitted on the patients it is judged by.

question: q4
caught_by: test_temperature_of_the_overtrained_model
"""

temperature = fit_temperature(test.meta["overtrained_logit"], test.y)
