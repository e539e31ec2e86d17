"""What runs on Kubeflow beside the pipeline itself: the command of its containers, its baseline, and the compiler that names both."""
