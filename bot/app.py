"""The composition root: opens every part in order, closes them in reverse. Nothing is built elsewhere."""

import asyncio
import logging
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Self

import aiohttp
from sqlalchemy import text

from bot.audio_features.base import FeatureSource
from bot.audio_features.chain import Chain
from bot.audio_features.reccobeats import ReccoBeats
from bot.audio_features.spotify import SpotifyFeatures
from bot.client import Client, point_at
from bot.clock import Clock, utc_now
from bot.cogs.connect import ConnectCog, DisconnectCog
from bot.cogs.feedback import FeedbackCog, FeedbackMenu, UndoButton
from bot.cogs.help import HelpCog
from bot.cogs.host import HostMessenger
from bot.cogs.importing import ImportCog
from bot.cogs.link import LinkCog, LinkMessageEditor
from bot.cogs.model import ModelCog
from bot.cogs.privacy import DeleteButton, KeepButton, PrivacyCog
from bot.cogs.recommend import RecommendCog, ShareButton
from bot.cogs.reminders import RemindersCog, ReminderSender, StopRemindersButton
from bot.cogs.status import StatusCog
from bot.cogs.sync import SyncCog
from bot.export_pages import export_routes
from bot.imports.lastfm import LastFm
from bot.imports.listen_service import ListenService
from bot.imports.listenbrainz import ListenBrainz, ListenBrainzLabs
from bot.jobs.process import ProcessExecutor
from bot.link_pages import link_routes
from bot.memory import give_back
from bot.model_store import ModelStore
from bot.services.allowance import Allowance
from bot.services.connect import ConnectService
from bot.services.content import ContentStore
from bot.services.daily import Chore, Daily
from bot.services.deletion import DeletionService
from bot.services.endpoints import Endpoints
from bot.services.export import ExportService
from bot.services.feature_scales import FeatureScaleService
from bot.services.features import FeaturesService
from bot.services.feedback import FeedbackService
from bot.services.first_sync import FirstSync
from bot.services.forgetting import Forgetting
from bot.services.gate import Thresholds
from bot.services.host import HostNotices
from bot.services.importing import ImportService
from bot.services.link import LinkService
from bot.services.link_message import LinkReporter
from bot.services.matching import Matcher
from bot.services.model import Limits, ModelService
from bot.services.privacy import PrivacyService
from bot.services.recommend import RecommendService
from bot.services.reminders import ReminderService
from bot.services.retention import RetentionService
from bot.services.status import StatusService
from bot.services.sync import SyncService
from bot.services.tokens import TokenKeeper
from bot.services.unlink import UnlinkService
from bot.services.upload import UploadService
from bot.settings import Settings
from bot.sources import FeatureOrigin, Source
from bot.spotify.gateway import Gateway
from bot.spotify.oauth import OAuth
from bot.spotify.vault import Vault
from bot.storage.database import Database
from bot.storage.migrate import migrate, prune_backups
from bot.storage.notes import Notes
from bot.upload_pages import upload_routes
from bot.web import Web

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Spotify:
    """What talks to Spotify."""

    vault: Vault
    oauth: OAuth
    allowance: Allowance
    endpoints: Endpoints
    gateway: Gateway


class App:
    """`async with App(settings) as app: await app.run()`. `run` returns when `stop` was called or Discord gave up."""

    def __init__(self, settings: Settings, clock: Clock = utc_now) -> None:
        self.settings = settings
        self.clock = clock
        self._stack = AsyncExitStack()
        self._stopped = asyncio.Event()
        self.chores: list[Chore] = []  # what the daily task does beside its syncs

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:  # a failure halfway closes what was opened
            await self._open(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _open(self, stack: AsyncExitStack) -> None:
        settings = self.settings
        point_at(settings.discord_api_url, settings.discord_gateway_url)

        self.database = Database(settings.database_url)
        stack.push_async_callback(self.database.close)
        await migrate(self.database, self.clock)
        keep_for = timedelta(days=settings.delete_from_models_days)
        await prune_backups(self.database, self.clock, keep_for)

        self.http = await stack.enter_async_context(
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15), headers={"User-Agent": "SpecRec"})
        )
        self.models = ModelStore(self.database, settings.model_dir, self.clock)
        limits = Limits(
            settings.training_sources,
            timedelta(minutes=settings.training_cooldown_minutes),
            timedelta(minutes=settings.training_timeout_minutes),
            settings.home_guild_id,
            settings.training_min_members,
            settings.training_min_interactions,
            Thresholds(
                settings.gate_min_distinct,
                settings.gate_min_coverage,
                settings.gate_min_spread,
                settings.gate_min_distance,
            ),
            settings.recency_half_life_days,
        )
        model = ModelService(self.database, self.models, ProcessExecutor(), limits, self.clock)
        await model.open()
        stack.push_async_callback(model.close)
        feedback = FeedbackService(self.database, self.clock)
        spotify = await self._open_spotify(stack)
        reccobeats = ReccoBeats(settings.reccobeats_url, self.http, self.clock)
        sources: dict[FeatureOrigin, FeatureSource] = {FeatureOrigin.RECCOBEATS: reccobeats}
        if spotify is not None:
            sources[FeatureOrigin.SPOTIFY] = SpotifyFeatures(
                spotify.gateway.audio_features, lambda: spotify.endpoints.is_closed("audio_features")
            )
        chain = Chain([sources[origin] for origin in settings.feature_sources if origin in sources])
        features = FeaturesService(self.database, chain, self.clock)
        feature_scales = FeatureScaleService(self.database, settings.feature_sources, self.clock)
        link, syncs = await self._open_linking(stack, spotify, features)
        imports = ImportService(self.database, settings.model_dir / ".incoming", self.clock, features, self.http)
        stack.push_async_callback(imports.close)
        uploads = UploadService(self.database, imports, settings.public_url, self.clock)
        stack.push_async_callback(uploads.close)
        uploads.open()
        connections = self._open_connections(features, keep_for)
        stack.push_async_callback(connections.close)
        privacy = PrivacyService(self.database, settings.training_sources, keep_for, self.clock)
        exports = ExportService(
            self.database, privacy, settings.model_dir / ".outgoing", settings.public_url, self.clock
        )
        stack.push_async_callback(exports.close)
        deletion = DeletionService(self.database, [uploads, exports, connections], keep_for, self.clock)
        unlink = UnlinkService(self.database, keep_for, self.clock)
        status = StatusService(self.database, syncs, connections)
        reminders = ReminderService(self.database, ReminderSender(lambda: self.client), self.clock)
        retention = RetentionService(self.database, timedelta(days=settings.spotify_retention_days), self.clock)
        self.chores += [
            Chore("reminding of consents that end", timedelta(hours=1), reminders.send_due),
            Chore("telling of links that broke", timedelta(hours=1), reminders.tell_lost),
            Chore("removing what Spotify did not confirm", timedelta(days=1), retention.sweep),
            Chore("bringing audio features to one scale", timedelta(hours=6), feature_scales.measure),
            Chore("giving memory back", timedelta(minutes=15), partial(asyncio.to_thread, give_back)),
        ]
        recommend = RecommendService(
            self.database, self.models, ContentStore(self.database), feedback, status, settings.explore_tracks
        )
        self.client = Client(
            cogs=[
                HelpCog(settings.has_spotify, settings.lastfm_api_key is not None),
                LinkCog(link, unlink),
                SyncCog(syncs, connections),
                ImportCog(imports, uploads),
                ConnectCog(connections),
                DisconnectCog(unlink, connections),
                StatusCog(status),
                RecommendCog(recommend, feedback),
                FeedbackCog(feedback),
                PrivacyCog(privacy, exports, deletion),
                ModelCog(model, lambda: self.client, self.clock),
                RemindersCog(reminders),
            ],
            buttons=[FeedbackMenu, UndoButton, ShareButton, DeleteButton, KeepButton, StopRemindersButton],
            notes=Notes(self.database),
        )
        stack.push_async_callback(self.client.close)
        routes = [
            *upload_routes(uploads, settings.public_url),
            *export_routes(exports, settings.public_url),
        ]
        if link is not None:
            routes += link_routes(link, settings.public_url)
        self.web = Web(settings.web_host, settings.web_port, self._missing, routes)
        stack.push_async_callback(self.web.close)
        await self.web.start()
        daily = Daily(
            self.database,
            syncs,
            connections,
            features,
            self.clock,
            sync_interval=timedelta(hours=settings.sync_interval_hours),
            chores=self.chores,
        )
        stack.push_async_callback(daily.close)
        daily.start()
        forgetting = Forgetting(self.database, self.models, model, keep_for, self.clock)
        stack.push_async_callback(forgetting.close)
        forgetting.start()

    async def _open_spotify(self, stack: AsyncExitStack) -> "_Spotify | None":
        """The way to Spotify; None on a host without it."""
        settings = self.settings
        app = settings.spotify_client_id
        if app is None or settings.spotify_client_secret is None:
            return None
        vault = Vault([key.get_secret_value() for key in settings.token_encryption_keys])
        secret, redirect_uri = settings.spotify_client_secret.get_secret_value(), settings.redirect_uri
        oauth = OAuth(app, secret, redirect_uri, settings.spotify_accounts_url, self.http, self.clock)
        tokens = TokenKeeper(self.database, vault, oauth, self.clock)
        stack.push_async_callback(tokens.close)
        await tokens.open()
        interval = timedelta(hours=settings.sync_interval_hours)
        allowance = Allowance(self.database, app, settings.spotify_daily_requests, self.clock, sync_interval=interval)
        await allowance.open()
        stack.push_async_callback(allowance.close)
        endpoints = Endpoints(self.database, app, self.clock)
        await endpoints.open()
        gateway = Gateway(
            settings.spotify_api_url, tokens, allowance, endpoints, self.clock, threads=settings.spotify_threads
        )
        stack.push_async_callback(gateway.close)
        self.chores.append(Chore("trying lost links once more", timedelta(days=1), partial(tokens.look_again, gateway)))
        return _Spotify(vault, oauth, allowance, endpoints, gateway)

    async def _open_linking(
        self, stack: AsyncExitStack, spotify: "_Spotify | None", features: FeaturesService
    ) -> tuple[LinkService | None, SyncService | None]:
        """What members do with Spotify; None on a host without it."""
        settings = self.settings
        if spotify is None:
            return None, None
        host = HostNotices(HostMessenger(lambda: self.client), self.clock)
        syncs = SyncService(
            self.database,
            spotify.gateway,
            features,
            spotify.allowance,
            host,
            self.clock,
            artist_tracks=settings.artist_tracks,
        )
        stack.push_async_callback(syncs.close)
        reporter = LinkReporter(self.database, LinkMessageEditor(lambda: self.client))
        link = LinkService(
            self.database,
            spotify.vault,
            spotify.oauth,
            spotify.gateway,
            reporter,
            FirstSync(syncs, reporter),
            host,
            settings.public_url,
            self.clock,
            seats=settings.spotify_seats,
        )
        stack.push_async_callback(link.close)
        return link, syncs

    def _open_connections(self, features: FeaturesService, keep_for: timedelta) -> ConnectService:
        """The services of listens that members may connect: ListenBrainz always, Last.fm where the host has a key."""
        settings, http, clock = self.settings, self.http, self.clock
        services: dict[Source, ListenService] = {
            Source.LISTENBRAINZ: ListenBrainz(settings.listenbrainz_url, http, clock)
        }
        if settings.lastfm_api_key is not None:
            key = settings.lastfm_api_key.get_secret_value()
            services[Source.LASTFM] = LastFm(settings.lastfm_url, key, http, clock)
        labs = settings.listenbrainz_labs_url
        ids = None if labs is None else ListenBrainzLabs(labs, http, clock)
        return ConnectService(self.database, services, Matcher(self.database, ids, clock), features, keep_for, clock)

    async def run(self) -> None:
        """Raises `discord.LoginFailure` for a wrong token."""
        discord_task = asyncio.create_task(self.client.start(self.settings.discord_token.get_secret_value()))
        stop_task = asyncio.create_task(self._stopped.wait())
        done, _ = await asyncio.wait({discord_task, stop_task}, return_when=asyncio.FIRST_COMPLETED)
        self.client.closing = True
        stop_task.cancel()
        if discord_task in done:
            discord_task.result()
        else:
            await self.client.close()
            await discord_task

    def stop(self) -> None:
        """Called by SIGTERM and SIGINT: no new commands from here on."""
        self.client.closing = True
        self._stopped.set()

    async def _missing(self) -> list[str]:
        missing = []
        if not self.client.is_connected:
            missing.append("Discord's gateway is not connected")
        try:
            async with self.database.write() as connection:
                await connection.execute(text("SELECT 1"))
        except Exception:
            log.exception("the database is not writable")
            missing.append("the database is not writable")
        return missing
