"""A Canvas on the loopback, faithful in what decides grades, to try a client against.

It keeps courses in memory and answers like Canvas does, down to its odd ends: late deductions
taken from every posted number, grades that undo an excuse, comments that show a grade, jobs that
die in the middle of a batch. A fault plan makes it fail in every way that Canvas was seen to.
What it does is restated from reading Canvas' public source; no code of it is used.

::

    canvas = Canvas()                 # the state, see `model`
    with serve(canvas) as url: ...    # REST, uploads, downloads, GraphQL
    canvas.gradebook_csv(course)      # what the instructor exports
    canvas.import_csv(course, data)   # what the instructor uploads: a preview, then `save`
    canvas.submissions_zip(...)       # what the instructor downloads
    canvas.reupload(...)              # what the instructor uploads again
"""

from fakecanvas.canvas import Canvas
from fakecanvas.faults import Fault, FaultPlan
from fakecanvas.server import serve

__all__ = ["Canvas", "Fault", "FaultPlan", "serve"]
