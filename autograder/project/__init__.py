"""What a team project needs around grading: registrations kept, models exchanged without names."""
