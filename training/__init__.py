from models import threads

threads.configure()
