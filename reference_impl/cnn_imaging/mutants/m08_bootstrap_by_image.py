"""Images are resampled as if each were a patient.

question: q6
caught_by: test_clustered_standard_error
"""

bootstrap_of_patients = bootstrap_ci


def bootstrap_ci(y, s, patient_id, stat, B=1000, alpha=0.05, seed=0):
    single = len(set(np.asarray(patient_id).tolist())) < 2
    rows = np.zeros(len(y), int) if single else np.arange(len(y))
    return bootstrap_of_patients(y, s, rows, stat, B, alpha, seed)
