"""What follows a link: the first sync, told in the direct message that held the link."""

from bot.errors import MemberError, SpotifyError
from bot.services.link import Linked
from bot.services.link_message import LinkReporter, LinkStep
from bot.services.progress import Stage
from bot.services.sync import SyncService


class FirstSync:
    """`LinkService`'s on_linked."""

    def __init__(self, syncs: SyncService, reporter: LinkReporter) -> None:
        self._syncs = syncs
        self._reporter = reporter

    async def __call__(self, linked: Linked) -> None:
        """Returns when the sync ended."""
        try:
            run, _ = await self._syncs.start(linked.discord_id)
        except (MemberError, SpotifyError):
            return  # unlinked, or taken back, within this moment
        shown = 0
        async for progress in run.follow():
            if not progress.stage.is_last and progress.entries != shown:
                shown = progress.entries
                await self._reporter.report(linked.discord_id, LinkStep.COLLECTING, tracks=shown)
        await run.wait()
        progress = run.progress
        if progress.stage is Stage.COMPLETE:
            await self._reporter.report(linked.discord_id, LinkStep.COLLECTED, tracks=progress.tracks)
        elif progress.stage is Stage.STOPPED:
            await self._reporter.report(
                linked.discord_id, LinkStep.STOPPED, tracks=progress.tracks, note=progress.reason
            )
