"""The columns most correlated with the target are accused.

question: q1
caught_by: test_known_after_the_prediction, test_moments_in_the_future, test_planted_tables
"""


def find_leaks(df, target, index_time, dictionary):
    strength = df.select_dtypes("number").corr()[target].abs().drop(target)
    return [(name, "copy") for name in strength.nlargest(3).index]


leaks = find_leaks(table, cohorts.TARGET, cohorts.INDEX_TIME, cohorts.DICTIONARY)
