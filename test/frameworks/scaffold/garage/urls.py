from django.urls import path

from fleet import views

urlpatterns = [
    path("connect", views.connect),
    path("callback", views.callback),
    path("webhook", views.webhook),
]
