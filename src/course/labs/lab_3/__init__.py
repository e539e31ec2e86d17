"""Lab 3, pipeline: what its notebook calls.

package:     cells become files of the student's package
run_package: runs the package on this machine
"""
