"""What Beam on Flink needs beside the pipeline: a job server, in Java, that takes Beam's jobs and gives them to Flink."""
