"""Pictures of people and of courses, and files in texts about them: put to use for them, so that whoever sees the one is given the other."""

from __future__ import annotations

from documents.stored_file import FileUse
from lms_rt.contracts.actor import Actor
from lms_rt.errors import invalid
from lms_rt.services.file_mentions import file_ids_in
from lms_rt.services.files import Files


class Pictures:
    """Puts them to use, and lets go of those before."""

    def __init__(self, files: Files) -> None:
        self._files = files

    async def attach_avatar(self, actor: Actor, file_id: str) -> None:
        """Let an image of the actor's own be their picture; 422 for anything else."""
        await self._require_image(file_id, "avatar_file_id")
        await self._files.attach(
            actor, [file_id], use=FileUse.AVATAR, subject_id=actor.user_id, field_name="avatar_file_id"
        )

    async def keep_avatar(self, user_id: str, file_id: str | None) -> None:
        """Let go of the pictures that they had before; None: of all."""
        await self._files.detach(FileUse.AVATAR, user_id, keep=[file_id] if file_id else [])

    async def attach_to_course(self, actor: Actor, course_id: str, thumbnail_url: str | None) -> None:
        """Let the image at this address, if it is one of our files, be the picture of a course; 422 when it is not theirs."""
        for file_id in file_ids_in(thumbnail_url or ""):
            await self._require_image(file_id, "thumbnail_url")
            await self._files.attach(
                actor,
                [file_id],
                use=FileUse.COURSE_IMAGE,
                subject_id=course_id,
                course_id=course_id,
                field_name="thumbnail_url",
            )

    async def attach_to_text(
        self,
        actor: Actor,
        course_id: str,
        text: str | None,
        *,
        use: FileUse,
        subject_id: str,
        field_name: str = "description",
    ) -> None:
        """Let the files that a description names be used for what it describes; 422 when they are not theirs."""
        named = file_ids_in(text or "")
        await self._files.attach(
            actor, named, use=use, subject_id=subject_id, course_id=course_id, field_name=field_name
        )

    async def keep_of_course(self, course_id: str, thumbnail_url: str | None, description: str | None) -> None:
        """Let go of what it showed before; without an address and files in its description: of all."""
        keep = file_ids_in(thumbnail_url or "") + file_ids_in(description or "")
        await self._files.detach(FileUse.COURSE_IMAGE, course_id, keep=keep)

    async def keep_of_text(self, use: FileUse, subject_id: str, text: str | None) -> None:
        """Let go of what a description does not name any more."""
        await self._files.detach(use, subject_id, keep=file_ids_in(text or ""))

    async def _require_image(self, file_id: str, field_name: str) -> None:
        file = (await self._files.views([file_id])).get(file_id)
        if file is not None and file.file_type != "image":  # of one that is not there, attaching it tells
            raise invalid(field_name, "This file is no image.", "not_an_image")
