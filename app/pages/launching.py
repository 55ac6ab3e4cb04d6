"""The pages that a launch may need on its way to the EHR's sign-in, before there is a chart to show."""

from flask import render_template

from launch.pages import LaunchPage, OpenInWindow, SendByPost


def render_launch_page(page: LaunchPage) -> str:
    """The page as HTML."""
    match page:
        case SendByPost():
            return render_template("launch_post.html", page=page)
        case OpenInWindow():
            return render_template("launch_window.html", page=page)
