# The parts of a Django project that the page does not show.

import os

from garage.settings import DATABASES

DATABASES["default"]["NAME"] = os.environ.get("DJANGO_DATABASE", DATABASES["default"]["NAME"])
DATABASES["default"]["USER"] = os.environ.get("DJANGO_USER", DATABASES["default"]["USER"])
SECRET_KEY = "of the tests"
ALLOWED_HOSTS = ["testserver"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions", "fleet"]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
ROOT_URLCONF = "garage.urls"
USE_TZ = True
